
// An exported page: every answer stands in the page itself; browser.js stands above.
const data = JSON.parse(document.getElementById("data").textContent);
const bytes = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0)).buffer;
let respond = () => {};
let selection = data.dialog.selection;
const move = (turn) => (selection = { ...selection, turn });
const answers = {
  start: () => data.start,
  open: () => ({ ...data.dialog, selection, focus: data.focus[selection.turn] }),
  filter: () => ({ kind: "error", text: "a single dialogue has nothing to filter" }),
  list: () => data.list,
  step: () => answers.open(),
  turn: ({ turn }) => ({ kind: "turn", selection: move(turn), focus: data.focus[turn] }),
  differences: ({ model }) => ({ kind: "differences", parts: data.differences[selection.turn]?.[model] ?? [], selection }),
  picture: ({ image }) => ({ kind: "picture", ...data.pictures[image], buffers: data.pictures[image]?.data ? [bytes(data.pictures[image].data)] : [] }),
  note: () => ({ kind: "error", text: "an exported page can't save notes" }),
};
const send = (message) => {
  const { buffers = [], ...answer } = answers[message.kind](message);
  queueMicrotask(() => respond({ ...answer, ticket: message.ticket }, buffers));
};
mount(
  document.getElementById("browser"),
  { send, receive: (then) => (respond = then) },
  document.getElementById("style").textContent,
);
