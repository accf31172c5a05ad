import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { keep, take } from "./notes.js";

const port = Number(process.env.PORT ?? 3000);
const longest = 10_000;

async function body(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) {
    text += chunk;
    if (text.length > longest) throw new RangeError("the note is too long");
  }
  return text;
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(text + "\n");
}

const server = createServer(async (request, response) => {
  const path = request.url ?? "/";
  try {
    if (request.method === "POST" && path === "/") answer(response, 201, "/" + keep(await body(request)));
    else if (path === "/healthy") answer(response, 200, "yes");
    else {
      const note = take(path.slice(1));
      if (note === undefined) answer(response, 404, "no such note, or it was read before");
      else answer(response, 200, note);
    }
  } catch (error) {
    answer(response, 413, error instanceof Error ? error.message : String(error));
  }
});

server.listen(port, () => console.log(`listening on port ${port}`));
process.on("SIGTERM", () => server.close());
