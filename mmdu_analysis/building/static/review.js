// The review page. Every text is set as text, never as markup.
const byId = (id) => document.getElementById(id);
const address = new URL("socket", location.href);
address.protocol = "ws:";
const socket = new WebSocket(address);
socket.binaryType = "arraybuffer";

const waiting = new Map(); // ticket -> resolve
let ticket = 0;
let half = null; // a message whose bytes are still to come
socket.addEventListener("message", ({ data }) => {
  if (typeof data !== "string") return settle(half, data);
  const message = JSON.parse(data);
  if (message.bytes) half = message;
  else settle(message);
});
function settle(message, bytes) {
  waiting.get(message.ticket)?.({ ...message, data: bytes });
  waiting.delete(message.ticket);
}
function ask(message) {
  return new Promise((resolve) => {
    waiting.set(++ticket, resolve);
    socket.send(JSON.stringify({ ...message, ticket }));
  });
}

const state = { reviewer: "", dialogs: [], id: "", talk: [], items: [], whole: {}, focus: 1, editing: false, busy: false };

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
function say(text, isError = false) {
  const place = byId("message");
  place.textContent = text;
  place.classList.toggle("error", isError);
}

function showOverview({ dialogs, decided, turns }) {
  state.dialogs = dialogs;
  byId("bar").value = turns ? decided / turns : 0;
  byId("progress").textContent = `${decided} of ${turns} turns decided`;
  byId("list").replaceChildren(...dialogs.map((row) => {
    const title = `accepted by one: ${row.accepted_once}, by two: ${row.accepted_twice}`;
    const name = make("span", { className: row.rejected ? "rejected" : "", textContent: row.id });
    const count = make("span", { textContent: `${row.decided}/${row.turns}` });
    const button = make("button", { type: "button", title, onclick: () => open(row.id) }, name, count);
    if (row.id === state.id) button.setAttribute("aria-current", "true");
    return make("li", {}, button);
  }));
}

function decisionsOf(turn) {
  const found = Object.entries(turn.decisions).map(([who, kind]) =>
    make("span", { className: `decision ${kind}`, textContent: `${who}: ${kind}` }));
  const old = turn.outdated.map((who) =>
    make("span", { className: "decision outdated", textContent: `${who}: decided before an edit` }));
  return make("div", { className: "decisions" }, ...found, ...old);
}

function article(turn) {
  const mine = turn.decisions[state.reviewer] ?? "";
  const isFocus = turn.turn === state.focus;
  const edited = turn.edited ? " · edited" : "";
  const box = make("article", { className: `${mine} ${isFocus ? "focus" : ""}` },
    make("h3", { textContent: `turn ${turn.turn} of ${state.talk.length}${edited}` }));
  box.dataset.turn = turn.turn;
  if (isFocus && state.editing) {
    const question = make("textarea", { className: "question", value: turn.question });
    const answer = make("textarea", { className: "answer", value: turn.answer });
    const save = make("button", { type: "button", textContent: "save (Ctrl+Enter)", onclick: saveEdit });
    const cancel = make("button", { type: "button", textContent: "cancel (Escape)", onclick: stopEdit });
    box.append(make("label", {}, "question", question), make("label", {}, "answer", answer),
      make("div", { className: "tools" }, save, cancel));
    return box;
  }
  box.append(make("p", { className: "question", textContent: turn.question }),
    make("p", { className: "answer", textContent: turn.answer }), decisionsOf(turn));
  if (isFocus) {
    const button = (text, action) => make("button", { type: "button", textContent: text, onclick: action });
    box.append(make("div", { className: "tools" }, button("accept (a)", () => decide("accept")),
      button("edit (e)", startEdit), button("reject (r)", () => decide("reject"))));
  } else {
    box.addEventListener("click", () => !state.editing && moveTo(turn.turn));
  }
  return box;
}

function showTalk() {
  const whole = Object.entries(state.whole).map(([who, kind]) =>
    make("span", { className: `decision ${kind}`, textContent: `${who}: ${kind} the dialogue` }));
  byId("talk").replaceChildren(make("h2", { textContent: `Dialogue ${state.id}` }), make("div", {}, ...whole),
    ...state.talk.map(article));
  const named = new Set([...(state.talk[state.focus - 1]?.question ?? "").matchAll(/\bImage(\d+)\b/g)].map((m) => +m[1]));
  document.querySelectorAll("#items figure").forEach((f) => f.classList.toggle("about", named.has(+f.dataset.image)));
  document.querySelector("article.focus")?.scrollIntoView({ block: "nearest" });
}

function showItems() {
  byId("items").replaceChildren(...state.items.map((item) => {
    const facts = [item.title, item.caption, item.tags].filter(Boolean).join(" · ");
    const from = [item.source, item.licence].filter(Boolean).join(" · ");
    const figure = make("figure", {}, make("strong", { textContent: `Image${item.image}` }), make("div", { className: "picture" }),
      make("p", { className: "text", textContent: facts }), make("p", { className: "text", textContent: item.text }),
      make("p", { className: "source", textContent: from }));
    figure.dataset.image = item.image;
    loadPicture(state.id, item.image, figure.querySelector(".picture"));
    return figure;
  }));
}

async function loadPicture(dialog, image, place) {
  const reply = await ask({ kind: "picture", dialog, image });
  if (!reply.data) return place.replaceChildren(reply.problem ?? reply.error ?? "no picture");
  const url = URL.createObjectURL(new Blob([reply.data], { type: reply.mime }));
  const picture = make("img", { src: url, alt: `Image${image}` });
  picture.addEventListener("load", () => URL.revokeObjectURL(url));
  place.replaceChildren(picture);
}

function take(reply) {
  const isOther = reply.id !== state.id;
  Object.assign(state, { id: reply.id, talk: reply.talk, items: reply.items, whole: reply.whole });
  state.focus = Math.min(state.focus, state.talk.length);
  showOverview(reply);
  if (isOther) showItems();
  showTalk();
}

async function act(message, then) {
  if (state.busy) return;
  state.busy = true;
  try {
    const reply = await ask(message);
    if (reply.kind === "error") {
      say(reply.error, true);
      if (message.kind === "decide" && message.decision !== "edit") take(await ask({ kind: "open", dialog: state.id }));
      return;
    }
    then(reply);
  } finally {
    state.busy = false;
  }
}

function open(dialog, focus = 1) {
  if (state.editing) return;
  act({ kind: "open", dialog }, (reply) => {
    state.focus = focus;
    take(reply);
  });
}

function moveTo(turn) {
  if (turn < 1 || turn > state.talk.length) return;
  state.focus = turn;
  showTalk();
}

function nextUndecided() {
  const later = state.talk.find((t) => t.turn > state.focus && !(state.reviewer in t.decisions));
  if (later) state.focus = later.turn;
}

function decide(decision, texts = {}) {
  const turn = state.talk[state.focus - 1];
  act({ kind: "decide", decision, dialog: state.id, turn: turn.turn, seen: turn.version, ...texts }, (reply) => {
    state.editing = false;
    say(`turn ${turn.turn}: ${reply.done.decision}`);
    Object.assign(state, { talk: reply.talk });
    nextUndecided();
    take(reply);
    byId("talk").focus();
  });
}

function decideWhole(decision) {
  const versions = Object.fromEntries(state.talk.map((turn) => [turn.turn, turn.version]));
  act({ kind: "whole", decision, dialog: state.id, versions }, (reply) => {
    say(`dialogue ${state.id}: ${decision}`);
    take(reply);
  });
}

function undo() {
  act({ kind: "undo", dialog: state.id }, (reply) => {
    const { decision, turn, dialog } = reply.undone;
    if (turn) state.focus = turn;
    take(reply);
    say(`undone: ${decision} of ${turn ? `turn ${turn}` : "the dialogue"} in dialogue ${dialog}`);
  });
}

function startEdit() {
  state.editing = true;
  showTalk();
  document.querySelector("article.focus textarea.answer").focus();
}
function stopEdit() {
  state.editing = false;
  showTalk();
  byId("talk").focus();
}
function saveEdit() {
  const box = document.querySelector("article.focus");
  decide("edit", { question: box.querySelector(".question").value, answer: box.querySelector(".answer").value });
}

function step(by) {
  const place = state.dialogs.findIndex((row) => row.id === state.id) + by;
  if (state.dialogs[place]) open(state.dialogs[place].id);
}

const keys = {
  j: () => moveTo(state.focus + 1), k: () => moveTo(state.focus - 1), n: () => step(1), p: () => step(-1),
  ArrowDown: () => moveTo(state.focus + 1), ArrowUp: () => moveTo(state.focus - 1),
  a: () => decide("accept"), e: startEdit, r: () => decide("reject"), A: () => decideWhole("accept"),
  R: () => decideWhole("reject"), u: undo, "?": () => byId("help").showModal(),
};
document.addEventListener("keydown", (event) => {
  if (byId("help").open) return;
  if (state.editing) {
    if (event.key === "Escape") stopEdit();
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) saveEdit();
    else return;
  } else if (keys[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey) {
    keys[event.key]();
  } else return;
  event.preventDefault();
});
byId("help-button").addEventListener("click", () => byId("help").showModal());

async function refresh() {
  if (state.id && !state.editing && !state.busy) {
    const reply = await ask({ kind: "refresh", dialog: state.id });
    if (reply.kind === "dialog" && reply.id === state.id && !state.editing && !state.busy) take(reply);
  }
}

socket.addEventListener("open", async () => {
  const start = await ask({ kind: "start" });
  state.reviewer = start.reviewer;
  byId("reviewer").textContent = `reviewer: ${start.reviewer}`;
  byId("synthetic").hidden = !start.synthetic;
  showOverview(start);
  const first = start.dialogs.find((row) => row.decided < row.turns) ?? start.dialogs[0];
  open(first.id);
  setInterval(refresh, 1000);
});
socket.addEventListener("close", () => say("The server has ended. Everything that you decided is kept; start mmdu build review again.", true));
