// The service worker: pages come from the box office, and from this phone's copy only where it does not answer in time.
//
// SHELL and VERSION stand above this text. It never touches POSTs, the API, staff pages or holds, and keeps a ticket page only where the
// page itself says that it is this phone's to keep; each copy is found by the whole address, which is what opens the page.
const FILES = `marquee-files-${VERSION}`;
const PAGES = `marquee-pages-${VERSION}`;
const PICTURES = "marquee-pictures";
const TICKETS = "marquee-tickets";
const PATIENCE_MS = 3500;
const MOST_PAGES = 40;
const MOST_PICTURES = 60;
const FALLBACK = "/phone";

addEventListener("install", (event) => {
  skipWaiting();
  event.waitUntil((async () => {
    await (await caches.open(FILES)).addAll(SHELL);
    await store(PAGES, FALLBACK, await fetch(FALLBACK));
  })());
});

addEventListener("activate", (event) => {
  const current = [FILES, PAGES, PICTURES, TICKETS];
  event.waitUntil((async () => {
    const old = (await caches.keys()).filter((name) => name.startsWith("marquee-") && !current.includes(name));
    await Promise.all(old.map((name) => caches.delete(name)));
    await clients.claim();
  })());
});

addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname.startsWith("/static/")) event.respondWith(fileOf(event.request, FILES));
  else if (url.pathname.startsWith("/assets/")) event.respondWith(fileOf(event.request, PICTURES, MOST_PICTURES));
  else if (event.request.mode === "navigate" && event.request.destination === "document") {
    const kind = kindOf(url.pathname);
    if (kind) event.respondWith(pageOf(event, url, kind));
  }
});

const kindOf = (path) => {
  if (/^\/tickets\/[^/]+$/.test(path)) return TICKETS;
  if (path === "/" || path === FALLBACK || /^\/events\/[^/]+$/.test(path)) return PAGES;
  // What cannot be shown from a copy still says so in our own words.
  return /^\/(holds|waitlist|tickets)\//.test(path) ? FALLBACK : "";
};

// Named by their content, so a copy is never old.
const fileOf = async (request, name, most = 0) => {
  const found = await caches.match(request);
  if (found) return found;
  const answer = await fetch(request);
  if (answer.ok) {
    const cache = await caches.open(name);
    await cache.put(request, answer.clone());
    if (most) await trim(cache, most);
  }
  return answer;
};

const trim = async (cache, most) => {
  const keys = await cache.keys();
  for (const each of keys.slice(0, Math.max(0, keys.length - most))) await cache.delete(each);
};

const keyOf = (url, kind) => (kind === TICKETS ? url.pathname : url.pathname + url.search);

const store = async (name, key, answer) => {
  if (!answer.ok || answer.redirected || !(answer.headers.get("Content-Type") || "").startsWith("text/html")) return;
  const text = await answer.text();
  const cache = await caches.open(name);
  if (name === TICKETS && !/<div id="order"[^>]* data-keep>/.test(text) && !(await cache.match(key))) return;
  await cache.delete(key);
  await cache.put(key, new Response(text, { headers: { "Content-Type": "text/html; charset=utf-8", "X-Kept": String(Date.now()) } }));
  if (name === PAGES) await trim(cache, MOST_PAGES);
};

const pageOf = async (event, url, kind) => {
  const key = keyOf(url, kind);
  const asked = fetch(event.request).then((answer) => {
    if (kind !== FALLBACK) event.waitUntil(remember(kind, key, answer.clone()));
    return answer;
  });
  const late = new Promise((done) => setTimeout(done, PATIENCE_MS));
  try {
    const answer = await Promise.race([asked, late]);
    // A gateway that finds nobody behind it is as good as no answer.
    if (answer && ![502, 503, 504].includes(answer.status)) return answer;
    return (await copyOf(url, kind, key)) || (await asked);
  } catch {
    return (await copyOf(url, kind, key)) || (await copyOf(new URL(FALLBACK, url), PAGES, FALLBACK)) || Response.error();
  }
};

const remember = async (kind, key, answer) => {
  // A page that is gone, or leads elsewhere now, is gone here too.
  if (answer.status === 404 || answer.status === 410 || answer.type === "opaqueredirect") await (await caches.open(kind)).delete(key);
  else await store(kind, key, answer);
};

const copyOf = async (url, kind, key) => {
  if (kind === FALLBACK) return undefined;
  const cache = await caches.open(kind);
  const found = (await cache.match(key)) || (kind === PAGES && (await cache.match(url.pathname, { ignoreSearch: true })));
  return found ? marked(found) : undefined;
};

// Says on the page itself that it is a copy, and of when; no script of the page is needed for it.
const marked = async (found) => {
  const text = await found.text();
  const language = /<html lang="([a-z-]+)"/.exec(text)?.[1] || "en";
  const kept = new Date(Number(found.headers.get("X-Kept")));
  const when = new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { dateStyle: "medium", timeStyle: "short" }).format(kept);
  const shown = text.replace("<html ", '<html data-kept ').replace("<time data-kept-at></time>", `<time datetime="${kept.toISOString()}">${when}</time>`);
  return new Response(shown, { headers: { "Content-Type": "text/html; charset=utf-8" } });
};
