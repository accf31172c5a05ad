const fs = require("fs");
const ms = require("ms");

fs.mkdirSync("dist", { recursive: true });
fs.writeFileSync("dist/main.js", `wait(${ms("1 min")});\n`);
