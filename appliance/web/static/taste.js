// What somebody looked at, kept on this phone and sent to nobody: it only changes the order of the listing here.
const KEY = "marquee-taste";
const MOST = 30;
const FADES_MS = 30 * 24 * 3600 * 1000;

const read = () => {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) || "{}");
    return { off: found.off === true, seen: Array.isArray(found.seen) ? found.seen : [] };
  } catch {
    return { off: true, seen: [] };
  }
};

const write = (taste) => {
  try { localStorage.setItem(KEY, JSON.stringify(taste)); } catch { /* nothing is kept, nothing changes */ }
};

export const known = read;
export const turn = (on) => write({ off: !on, seen: on ? read().seen : [] });
export const clear = () => write({ off: read().off, seen: [] });
export const forget = () => { try { localStorage.removeItem(KEY); } catch { /* there is none */ } };
const wordsOf = (element) => (element.dataset.tags || "").split(" ").filter(Boolean);

// Somebody looks at an event.
export const saw = (event) => {
  const taste = read();
  if (taste.off) return;
  const before = taste.seen.find((each) => each.slug === event.dataset.event);
  const rest = taste.seen.filter((each) => each !== before);
  const entry = { slug: event.dataset.event, title: event.dataset.title, tags: wordsOf(event), times: (before?.times || 0) + 1, at: Date.now() };
  write({ off: false, seen: [entry, ...rest].slice(0, MOST) });
};

// How much a card is like what was looked at, and what of that most.
const match = (card, seen, common) => {
  const tags = wordsOf(card).filter((tag) => !common.has(tag));
  let [score, best, most] = [0, undefined, 0];
  for (const each of seen) {
    const fresh = .5 ** ((Date.now() - each.at) / FADES_MS);
    const same = each.slug === card.dataset.event ? 2 : tags.filter((tag) => each.tags.includes(tag)).length;
    const weight = same * fresh * (1 + Math.log2(each.times));
    score += weight;
    if (weight > most) [best, most] = [each, weight];
  }
  return { card, score, best };
};

// Put what fits first; those alike keep the box office's own order.
export const arrange = (list) => {
  const { off, seen } = read();
  if (off || !seen.length) return;
  const cards = [...list.children];
  const everywhere = (tag) => cards.every((card) => wordsOf(card).includes(tag));
  const common = new Set(cards.flatMap(wordsOf).filter(everywhere));
  const found = cards.map((card) => match(card, seen, common)).filter((each) => each.score > 0);
  if (!found.length) return;
  found.sort((a, b) => b.score - a.score || cards.indexOf(a.card) - cards.indexOf(b.card));
  const words = document.getElementById("because").content;
  const label = (card, best) => {
    const text = words.querySelector(best.slug === card.dataset.event ? ".looked" : ".because").cloneNode(true);
    const name = text.querySelector("bdi");
    if (name) name.textContent = best.title;
    return text;
  };
  for (const { card, best } of found.reverse()) {
    card.querySelector("h2").after(label(card, best));
    list.prepend(card);
  }
  list.before(words.querySelector(".arranged").cloneNode(true));
};

const list = document.querySelector("ul.cards");
// Whoever searches wants what fits the words.
if (list && !new URLSearchParams(location.search).get("q")) arrange(list);
