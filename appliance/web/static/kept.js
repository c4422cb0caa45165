// What this phone keeps: rows in IndexedDB, and copies of its ticket pages, each under its own address.
//
// Where a browser keeps nothing every call fails, and the pages work as without scripts.
const NAME = "marquee";
const CACHE = "marquee-tickets";
const MOST = 50;
let opened;

const answerOf = (asked) => new Promise((done, fail) => {
  asked.onsuccess = () => done(asked.result);
  asked.onerror = () => fail(asked.error);
});

const open = () => (opened ??= new Promise((done, fail) => {
  const asked = indexedDB.open(NAME, 1);
  asked.onupgradeneeded = () => {
    asked.result.createObjectStore("outbox", { keyPath: "id", autoIncrement: true });
    asked.result.createObjectStore("tickets", { keyPath: "path" });
    asked.result.createObjectStore("facts");
  };
  asked.onsuccess = () => {
    // Another tab forgets everything: this one must not hold it up.
    asked.result.onversionchange = () => { asked.result.close(); opened = undefined; };
    done(asked.result);
  };
  asked.onerror = () => fail(asked.error);
}));

const inside = async (name, mode, work) => {
  const change = (await open()).transaction(name, mode, { durability: "strict" });
  const answer = answerOf(work(change.objectStore(name)));
  const ended = new Promise((done, fail) => {
    change.oncomplete = done;
    change.onabort = change.onerror = () => fail(change.error);
  });
  const [result] = await Promise.all([answer, ended]);
  return result;
};

export const all = (name) => inside(name, "readonly", (store) => store.getAll());
export const get = (name, key) => inside(name, "readonly", (store) => store.get(key));
export const put = (name, value, key) => inside(name, "readwrite", (store) => store.put(value, key));
export const drop = (name, key) => inside(name, "readwrite", (store) => store.delete(key));

export const forget = async () => {
  if (opened) (await opened).close();
  opened = undefined;
  await answerOf(indexedDB.deleteDatabase(NAME));
};

export const tickets = async () => (await all("tickets")).sort((a, b) => b.at - a.at);

// Note a ticket page; what is not known of it (yet) stays as it was.
export const note = async (path, facts) => {
  const known = Object.fromEntries(Object.entries(facts).filter(([, value]) => value));
  await put("tickets", { at: Date.now(), ...(await get("tickets", path)), ...known, path });
  for (const each of (await tickets()).slice(MOST)) await lose(each.path);
};

export const lose = async (path) => {
  await drop("tickets", path);
  await (await caches.open(CACHE)).delete(path);
};

// Fetch the page and keep it beside its note.
export const keep = async (page, facts) => {
  const path = new URL(page, location.href).pathname;
  await note(path, facts);
  await copy(path).catch(() => { /* the next visit keeps it */ });
};

export const copy = async (path) => {
  const answer = await fetch(path);
  if (!answer.ok || answer.redirected) return;
  const headers = { "Content-Type": "text/html; charset=utf-8", "X-Kept": String(Date.now()) };
  await (await caches.open(CACHE)).put(path, new Response(await answer.text(), { headers }));
};
