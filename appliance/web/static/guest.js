// Starts what a page of the secure address can do beyond its HTML. Every part may fail alone; the page works without any.
import { all, copy, note, tickets } from "./kept.js";

// Loaded where something may be sent from, or where something waits.
let outbox;
let loading;
const LOAD_MS = 3000;
const load = async () => { outbox = await (loading ??= import("./outbox.js")); };
const loaded = () => Promise.race([load().then(() => true, () => false), new Promise((done) => setTimeout(done, LOAD_MS, false))]);

const part = (id) => document.getElementById(id);
const bit = (name, from = "bits") => part(from).content.querySelector(name).cloneNode(true);

// One key for one choice: a second tap, and going back to this page, ask for the same hold.
const keys = new Map();
const keyOf = (items) => {
  const choice = JSON.stringify(items);
  if (!keys.has(choice)) keys.set(choice, { hold: outbox.newKey(), order: outbox.newKey() });
  return keys.get(choice);
};

const chosen = (form) => [...form.querySelectorAll("select[name^='q.']")].filter((each) => Number(each.value)).map((each) => ({
  ticket_type: each.name.slice(2), quantity: Number(each.value), name: each.labels[0].textContent,
}));

const inLanguage = (path) => {
  const language = new URLSearchParams(location.search).get("lang");
  return language ? `${path}?lang=${language}` : path;
};

// One at a time, and the form says that something is going on. Who taps before all is loaded waits for it; what is not
// loaded soon is not needed.
const once = (form, work) => form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  try {
    if (await loaded()) await work(); else form.submit();
  } finally { form.ariaBusy = "false"; }
});

const said = (after, words) => {
  part("unsent")?.remove();
  words.id = "unsent";
  after.after(words);
  words.focus();
};

const watchChoice = (form, facts) => {
  once(form, async () => {
    const picked = chosen(form);
    const items = picked.map(({ ticket_type, quantity }) => ({ ticket_type, quantity }));
    const mine = keyOf(items);
    const held = items.length ? await outbox.call("/api/v1/holds", { items }, mine.hold) : {};
    if (held.status === 201 && held.page) return location.assign(inLanguage(held.page));
    // A refusal has a page of its own, in words: let the box office show it.
    if (!held.later || held.heard) return form.submit();
    // What has to be proven asks for more than this phone could answer alone.
    if ("proof" in facts.dataset) return said(form, bit(".away"));
    const offer = bit(".offer");
    offer.querySelector("[data-send]").addEventListener("click", async () => {
      const what = picked.map((each) => `${each.quantity} × ${each.name}`).join(", ");
      const { title, when } = facts.dataset;
      const added = await outbox.add({ kind: "book", items, keys: mine, title, when, what }).catch(() => false);
      keys.clear();
      said(form, bit(added ? ".waits" : ".full"));
    });
    offer.querySelector("[data-leave]").addEventListener("click", () => offer.remove());
    return said(form, offer);
  });
};

const watchConfirm = (form, facts) => {
  once(form, async () => {
    const fields = Object.fromEntries(new FormData(form));
    const led = await outbox.post(form.action, fields);
    // What is refused is said on the page that the same form, sent again, leads to.
    if (led.heard) return form.submit();
    if (!led.later) return new URL(led.url).pathname === new URL(form.action).pathname ? form.submit() : location.assign(led.url);
    const { title, when, what } = facts.dataset;
    const added = await outbox.add({ kind: "confirm", action: form.action, fields, title, when, what }).catch(() => false);
    return said(form, bit(added ? ".waits" : ".full"));
  });
};

const watchTicket = async (order) => {
  const path = location.pathname;
  const { title, when, what, code } = order.dataset;
  const facts = { title, when, what, code };
  const mine = "keep" in order.dataset;
  const known = (await tickets()).some((each) => each.path === path);
  if (mine || known) {
    await note(path, facts);
    // The worker keeps what it sees pass by; the very first page came before there was one.
    if (!navigator.serviceWorker?.controller) await copy(path);
    return;
  }
  const button = bit(".keep");
  button.addEventListener("click", async () => {
    await note(path, facts);
    await copy(path);
    button.replaceWith(bit(".is-kept"));
  });
  document.querySelector("main .noprint:last-child, main").append(button);
};

// How many bookings wait, beside the link to them.
const count = async () => {
  const waiting = (await all("outbox")).filter((each) => each.state === "waiting").length;
  const mark = part("waiting");
  mark.hidden = !waiting;
  mark.textContent = waiting || "";
  return waiting;
};

const start = async () => {
  const [choice, event, hold, order] = ["choice", "event", "hold", "order"].map(part);
  const confirm = hold && document.querySelector("form[action*='/confirm']");
  if (choice && event) watchChoice(choice, event);
  if (confirm) watchConfirm(confirm, hold);
  if (!document.documentElement.hasAttribute("data-kept")) {
    if (order) watchTicket(order).catch(() => {});
    if (event) import("./taste.js").then((taste) => taste.saw(event));
  }
  if (choice || hold) import("./fresh.js").then((fresh) => { if (choice) fresh.watchFigures(choice, event.dataset); if (hold) fresh.watchClock(hold.dataset); });
  if (document.querySelector("[data-share], [data-copy]")) import("./share.js").then((share) => share.install(bit));
  if (part("phone")) import("./phone.js").then((phone) => phone.show((name) => bit(name, "rows")));
  // What somebody else decides is looked up again by itself, unless something is being typed.
  const again = document.querySelector("a[data-again]");
  if (again) setInterval(() => { if (!document.hidden && ![...document.querySelectorAll("main input")].some((each) => each.value || each === document.activeElement)) location.replace(again.href); }, 1000 * again.dataset.again);
  const waiting = count().catch(() => 0);
  if (!choice && !confirm && !part("phone") && !(await waiting)) return;
  await load();
  outbox.onChange(() => count().catch(() => {}));
  outbox.watch();
};

start();
// After the page: what the worker fetches must not stand in its way.
if ("serviceWorker" in navigator) addEventListener("load", () => setTimeout(() => navigator.serviceWorker.register("/sw.js").catch(() => {}), 1000));
