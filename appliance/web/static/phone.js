// The page about this phone: what waits to be sent, the tickets it has, what it remembers, and one switch to forget it all.
import { forget, lose, tickets } from "./kept.js";
import * as outbox from "./outbox.js";
import * as taste from "./taste.js";

const part = (id) => document.getElementById(id);
const fill = (row, texts) => {
  for (const [name, text] of Object.entries(texts)) row.querySelector(`[data-${name}]`).textContent = text || "";
  return row;
};

const rowOf = (bit, entry) => {
  const row = fill(bit(`.entry-${entry.state}`), { title: entry.title, what: [entry.what, entry.when].filter(Boolean).join(" · ") });
  row.querySelector("button").addEventListener("click", () => outbox.discard(entry.id));
  if (entry.state === "sent") {
    row.querySelector("a").href = entry.page;
    row.querySelector("[data-requested]").hidden = !entry.requested;
    row.querySelector("[data-booked]").hidden = Boolean(entry.requested);
  }
  if (entry.state === "refused") {
    const reasons = [...row.querySelectorAll("[data-reason]")];
    const mine = reasons.find((each) => each.dataset.reason === entry.reason) || reasons.find((each) => each.dataset.reason === "other");
    for (const each of reasons) if (each !== mine) each.remove();
    if (entry.reason === "said") mine.textContent = entry.words;
  }
  return row;
};

const ticketOf = (bit, each) => {
  const row = fill(bit(".ticket-row"), { title: each.title, what: [each.what, each.when].filter(Boolean).join(" · "), code: each.code });
  row.querySelector("a").href = each.path;
  row.querySelector("button").addEventListener("click", async () => { await lose(each.path); row.remove(); none(); });
  return row;
};

const none = () => { part("no-tickets").hidden = part("tickets").children.length > 0; };

const everything = async () => {
  taste.forget();
  sessionStorage.clear();
  await Promise.all((await caches.keys()).filter((name) => name.startsWith("marquee-")).map((name) => caches.delete(name)));
  await forget().catch(() => {});
  for (const each of await navigator.serviceWorker.getRegistrations()) await each.unregister();
};

// Of two looks under way the later one is drawn, whichever is back first.
const latest = (look, draw) => {
  let last = 0;
  return async () => {
    const mine = ++last;
    const found = await look();
    if (mine === last) draw(found);
  };
};

export const show = async (bit) => {
  part("keeps-nothing").hidden = true;
  const outgoing = latest(outbox.entries, (found) => {
    part("outgoing").replaceChildren(...found.map((entry) => rowOf(bit, entry)));
    part("outbox").hidden = !found.length;
  });
  const kept = latest(tickets, (found) => {
    part("tickets").replaceChildren(...found.map((each) => ticketOf(bit, each)));
    none();
  });
  const liked = () => {
    const { off, seen } = taste.known();
    part("taste-on").checked = !off;
    part("seen").textContent = seen.map((each) => each.title).join(", ");
    part("seen-line").hidden = !seen.length;
  };
  // Before the first look: what is sent meanwhile is not missed.
  outbox.onChange(() => { outgoing().catch(() => {}); kept().catch(() => {}); });
  try {
    await outgoing();
    await kept();
  } catch {
    part("keeps-nothing").hidden = false;
    return;
  }
  liked();
  part("keeps").hidden = false;
  part("taste-on").addEventListener("change", (event) => { taste.turn(event.target.checked); liked(); });
  part("forget-seen").addEventListener("click", () => { taste.clear(); liked(); });
  part("forget").addEventListener("click", async () => {
    await everything();
    location.replace(location.pathname + location.search);
  });
};
