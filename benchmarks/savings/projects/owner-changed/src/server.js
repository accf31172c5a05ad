const http = require("http");
const ms = require("ms");

http.createServer((request, response) => response.end(`cached for ${ms("2 days")} ms\n`)).listen(3000);
