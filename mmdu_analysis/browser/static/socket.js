// The browser in a window of its own: messages go over a WebSocket to server.py.
import { mount } from "./browser.js";

const socket = new WebSocket(`ws://${location.host}${location.pathname}socket`);
socket.binaryType = "arraybuffer";
const ready = new Promise((resolve) => socket.addEventListener("open", resolve));
let callback = () => {};
let waiting = null; // a message whose bytes are still to come
socket.addEventListener("message", ({ data }) => {
  if (typeof data !== "string") {
    callback(waiting, [data]);
    waiting = null;
    return;
  }
  const message = JSON.parse(data);
  if (message.bytes) waiting = message;
  else callback(message, []);
});
const element = document.getElementById("browser");
socket.addEventListener("close", () => {
  const note = document.createElement("p");
  note.setAttribute("role", "alert");
  note.textContent = "The server has ended; start mmdu browse again.";
  element.after(note);
});
const css = await (await fetch("browser.css")).text();
mount(
  element,
  { send: (message) => ready.then(() => socket.send(JSON.stringify(message))), receive: (then) => (callback = then), address: true },
  css,
);
