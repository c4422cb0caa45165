// Bookings that could not be sent, because nobody answered. Nothing is promised here: only the box office's own answer makes a ticket.
//
// Each keeps the Idempotency-Key it was first tried with, so sending it again, however often, is the same booking.
import { all, drop, get, keep, put } from "./kept.js";

const ANSWER_MS = 8000;
const FIRST_WAIT_MS = 2000;
const LONGEST_WAIT_MS = 60000;
const MOST_WAITING = 10;
const MOST_KEPT = 30;
const LONGEST_LIFE_MS = 24 * 3600 * 1000;
const changed = new EventTarget();
let timer;
let sending = false;
let wanted = false;
let changed_ms = 0;

export const onChange = (tell) => changed.addEventListener("change", tell);
const tell = () => changed.dispatchEvent(new Event("change"));
export const entries = async () => (await all("outbox")).sort((a, b) => b.id - a.id);
export const newKey = () => crypto.randomUUID();
const pathOf = (url) => new URL(url, location.href).pathname;

// Not now: `heard` where the box office itself says to wait, which its own page explains best to somebody who looks.
const busy = (answer, wait_s) => ({ later: true, heard: answer.status === 429, wait_ms: Number(wait_s || 0) * 1000 });

// The answer of the API: {status, body, page}, or {later, wait_ms} where nobody answered or was too busy to.
export const call = async (path, body, key) => {
  const token = await get("facts", "client").catch(() => undefined);
  const headers = { "Content-Type": "application/json", "Idempotency-Key": key, ...(token && { "Client-Token": token }) };
  try {
    const answer = await fetch(path, { method: "POST", body: JSON.stringify(body), headers, signal: AbortSignal.timeout(ANSWER_MS) });
    const found = await answer.json();
    const fresh = answer.headers.get("Client-Token");
    if (fresh) await put("facts", fresh, "client").catch(() => {});
    if (answer.status >= 500 || (answer.status === 429 && found.retry_after_s)) return busy(answer, found.retry_after_s);
    const page = /<([^>]+)>/.exec(answer.headers.get("Link") || "")?.[1];
    return { status: answer.status, body: found, page };
  } catch {
    return { later: true, wait_ms: 0 };
  }
};

// A form of a page, sent as it is: {url, page} of what it led to, or {later}. The box office does each of these once.
export const post = async (action, fields) => {
  try {
    const answer = await fetch(action, { method: "POST", body: new URLSearchParams(fields), signal: AbortSignal.timeout(ANSWER_MS) });
    if (answer.status >= 500 || answer.status === 429) return busy(answer, answer.headers.get("Retry-After"));
    return { url: answer.url, page: new DOMParser().parseFromString(await answer.text(), "text/html") };
  } catch {
    return { later: true, wait_ms: 0 };
  }
};

const release = (hold) => {
  fetch(`/api/v1/holds/${hold}`, { method: "DELETE", keepalive: true }).catch(() => { /* its time runs out by itself */ });
  return { dropped: true };
};

const shown = (code) => code && `${code.slice(0, 4)}-${code.slice(4)}`;

const refused = (answer) => ({ state: "refused", reason: (answer.body.type || "").split("/").pop() || "other" });

const book = async (entry) => {
  if (!entry.hold) {
    const held = await call("/api/v1/holds", { items: entry.items }, entry.keys.hold);
    if (held.later) return held;
    if (held.status !== 201) return refused(held);
    // Thrown away meanwhile: others may have the tickets.
    if (!(await get("outbox", entry.id))) return release(held.body.hold);
    await put("outbox", Object.assign(entry, { hold: held.body.hold }));
  }
  const booked = await call("/api/v1/orders", { hold: entry.hold }, entry.keys.order);
  if (booked.later) return booked;
  if (booked.status !== 201) return refused(booked);
  return { state: "sent", page: booked.page, code: booked.body.code, requested: booked.body.status !== "confirmed" };
};

const confirm = async (entry) => {
  const led = await post(entry.action, entry.fields);
  if (led.later) return led;
  const status = led.page.getElementById("order")?.dataset.status;
  if (pathOf(led.url).startsWith("/tickets/")) return { state: "sent", page: pathOf(led.url), requested: status !== "confirmed" };
  const words = led.page.querySelector("[role=alert], h1");
  return { state: "refused", reason: "said", words: words ? words.textContent.trim() : "" };
};

const KINDS = { book, confirm };

const send = async (entry, now) => {
  // Whether the date is over the box office knows better than this phone's clock.
  if (now - entry.made > LONGEST_LIFE_MS) {
    return put("outbox", { ...entry, state: "refused", reason: "late", fields: undefined });
  }
  const came = await KINDS[entry.kind](entry);
  if (came.dropped) return undefined;
  // Thrown away while it was on its way: what was booked is shown all the same, since it is booked.
  if (came.later) {
    if (!(await get("outbox", entry.id))) return undefined;
    const back_off = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** entry.tries) * (.75 + Math.random() / 2);
    const times = { tried: now, busy_until: now + came.wait_ms, next: now + Math.max(came.wait_ms, back_off) };
    return put("outbox", { ...entry, ...times, tries: entry.tries + 1 });
  }
  // Names and numbers are no longer needed.
  await put("outbox", { ...entry, ...came, fields: undefined, ended: now });
  if (came.state === "sent") await keep(came.page, { title: entry.title, when: entry.when, what: entry.what, code: shown(came.code) });
  return undefined;
};

const due = (entry, changed_ms, now) => entry.next <= now || ((entry.tried || 0) < changed_ms && (entry.busy_until || 0) <= now);

const flushAll = async (changed_ms) => {
  const found = await all("outbox");
  const waiting = found.filter((each) => each.state === "waiting");
  for (const each of waiting) {
    const now = Date.now();
    if (due(each, changed_ms, now)) {
      await send(each, now);
      tell();
    }
  }
  const over = found.filter((each) => each.state !== "waiting");
  for (const each of over.slice(0, Math.max(0, over.length - MOST_KEPT))) await drop("outbox", each.id);
  const left = (await all("outbox")).filter((each) => each.state === "waiting");
  clearTimeout(timer);
  if (left.length) timer = setTimeout(flush, Math.max(500, Math.min(...left.map((each) => each.next)) - Date.now()));
};

// Send what waits; `eager` does not wait for the back-off, since something changed, but for what was tried since then. One tab at a
// time; the next one looks what is left, for the one before may have been closed over it. What is asked for while a request is
// still on its way, perhaps to nobody, is done right after it.
export const flush = async (eager = false) => {
  wanted = true;
  if (eager) changed_ms = Date.now();
  if (sending) return;
  sending = true;
  while (wanted) {
    wanted = false;
    const work = () => flushAll(changed_ms);
    await (navigator.locks ? navigator.locks.request("marquee-outbox", work) : work()).catch(() => {});
  }
  sending = false;
};

export const add = async (entry) => {
  const waiting = (await all("outbox")).filter((each) => each.state === "waiting");
  if (waiting.length >= MOST_WAITING) return false;
  const now = Date.now();
  await put("outbox", { state: "waiting", made: now, tries: 0, tried: now, next: now + FIRST_WAIT_MS, ...entry });
  tell();
  flush();
  return true;
};

export const discard = async (id) => {
  const entry = await get("outbox", id);
  await drop("outbox", id);
  if (entry?.state === "waiting" && entry.hold) release(entry.hold);
  tell();
};

export const watch = () => {
  flush(true);
  addEventListener("online", () => flush(true));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) flush(true); });
};
