
// An exported page: every reply is in the page itself; the sections of the browser stand above.
const block = (name) => JSON.parse(document.getElementById(name).textContent);
const data = block("data");
const bytes = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0)).buffer;
let respond = () => {};
let selection = data.dialog.selection;
const move = (turn) => (selection = { ...selection, turn });
const saved = {
  start: () => ({ ...data.start, selection: from(location.hash) }),
  open: () => ({ ...data.dialog, selection, focus: data.focus[selection.turn] ?? data.dialog.focus }),
  filter: () => ({ kind: "error", text: "a single dialogue has nothing to filter" }),
  list: () => ({ kind: "list", start: 0, rows: [], n_dialogs: 1, of: 1, place: 0 }),
  step: () => saved.open(),
  turn: ({ turn }) => ({ kind: "turn", selection: move(turn), focus: data.focus[turn], link: `turn=${turn}` }),
  answers: () => ({ kind: "answers", answers: Object.fromEntries(Object.entries(data.focus).map(([turn, f]) => [turn, f.answers])) }),
  differences: ({ model }) => ({ kind: "differences", parts: data.differences[selection.turn]?.[model] ?? [], selection }),
  picture: ({ image }) => ({ kind: "picture", ...data.pictures[image], buffers: data.pictures[image]?.data ? [bytes(data.pictures[image].data)] : [] }),
  note: () => ({ kind: "error", text: "an exported page can't save notes" }),
};
function from(hash) {
  const turn = Number(new URLSearchParams(hash.slice(1)).get("turn"));
  return data.focus[turn] ? move(turn) : selection;
}
const send = (message) => {
  const { buffers = [], ...answer } = saved[message.kind](message);
  queueMicrotask(() => respond({ ...answer, ticket: message.ticket }, buffers));
};
mount(document.getElementById("browser"), { send, receive: (then) => (respond = then), address: true }, block("style"));
