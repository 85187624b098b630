// A Socket.IO client as a dashboard has it: what comes is written to stdout, what stdin says is sent. One JSON a line.
const { io } = require("socket.io-client");
const [url, ...transports] = process.argv.slice(2);
// As browsers cannot: they have a proxy do it, or come from a page of this server.
const extraHeaders = process.env.KEY ? { Authorization: `Bearer ${process.env.KEY}` } : {};
const socket = io(url, { path: "/llamaproxws", transports, reconnection: false, extraHeaders });
const say = (event, data) => process.stdout.write(JSON.stringify({ event, data }) + "\n");
socket.on("connect", () => say("connect", socket.io.engine.transport.name));
socket.on("connect_error", (error) => say("connect_error", error.message));
socket.on("disconnect", (reason) => say("disconnect", reason));
socket.onAny(say);
require("readline").createInterface({ input: process.stdin }).on("line", (line) => socket.emit(...JSON.parse(line)))
  .on("close", () => { socket.close(); process.exit(0); });
