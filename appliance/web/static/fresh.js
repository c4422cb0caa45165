// Figures that stay fresh while somebody looks, and say so when they cannot; and a hold's time that is right after a pause.
const LEAST_MS = 5000;
const ANSWER_MS = 6000;

const clockOf = (at, zone) => new Intl.DateTimeFormat(document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone: zone,
}).format(at);

// Ask for availability again and again; where a figure of this page changed, take the words of a fresh page for it.
export const watchFigures = (form, facts) => {
  const line = document.createElement("p");
  line.className = "asof fresh";
  form.append(line);
  let etag = "";
  let figures;
  let wait_ms = LEAST_MS;
  let timer;
  let over = false;

  const types = () => new Set([...form.querySelectorAll("select[name^='q.']")].map((each) => each.name.slice(2)));
  const mine = (items) => { const here = types(); return JSON.stringify(items.filter((each) => here.has(each.ticket_type))); };

  const say = (text, bad = false) => {
    if (bad) line.setAttribute("role", "status"); else line.removeAttribute("role");
    line.classList.toggle("bad", bad);
    line.textContent = text;
  };

  const rowOf = (select) => select.closest(".type");

  // "over" where the page is in another state altogether by now, "old" where a cache on the way gave an older one.
  const takeOver = async (asOf) => {
    const answer = await fetch(location.href, { cache: "no-cache", signal: AbortSignal.timeout(ANSWER_MS) });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.getElementById(form.id);
    if (!next) return "over";
    const [asof, seen] = [form.querySelector(".asof:not(.fresh)"), next.querySelector(".asof")];
    if (seen && Date.parse(seen.dataset.asOf) < Date.parse(asOf) - 1000) return "old";
    for (const select of form.querySelectorAll("select[name^='q.']")) {
      const fresh = next.elements[select.name];
      if (!fresh) return "over";
      const [left, now] = [rowOf(select).querySelector(".left"), rowOf(fresh).querySelector(".left")];
      if (left && now) left.replaceWith(document.adoptNode(now));
      if (select !== document.activeElement && select.length !== fresh.length) {
        const wanted = Math.min(select.selectedIndex, fresh.length - 1);
        select.replaceChildren(...fresh.children);
        select.selectedIndex = wanted;
      }
    }
    if (asof && seen) asof.replaceWith(document.adoptNode(seen));
    return "taken";
  };

  const ask = async () => {
    try {
      const headers = etag ? { "If-None-Match": etag } : {};
      const answer = await fetch("/api/v1/availability", { headers, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
      if (answer.status !== 304) {
        if (!answer.ok) throw new Error(answer.status);
        const body = await answer.json();
        const now = mine(body.items);
        const came = figures === undefined || figures === now ? "taken" : await takeOver(body.as_of);
        over = came === "over";
        if (came !== "old") [figures, etag] = [now, answer.headers.get("ETag") || ""];
        wait_ms = Math.max(LEAST_MS, body.max_age * 1000);
      }
      // The box office said so just now, by its own clock where it tells.
      const told = new Date(answer.headers.get("Date") || "");
      const at = clockOf(isNaN(told) ? new Date() : told, facts.zone);
      say(over ? facts.changed : facts.looked.replace("{time}", at), over);
    } catch {
      say(facts.offline, true);
    }
    again();
  };

  const again = () => {
    clearTimeout(timer);
    if (!document.hidden && !over) timer = setTimeout(ask, wait_ms);
  };

  document.addEventListener("visibilitychange", () => { if (document.hidden) clearTimeout(timer); else ask(); });
  addEventListener("online", ask);
  addEventListener("offline", () => say(facts.offline, true));
  ask();
};

// The drawing counts by itself; a phone that slept stops it. Two marks are spoken to those who do not see it.
export const watchClock = (facts) => {
  const left_s = Number(facts.left);
  const began = Date.now();
  const drawing = document.querySelector("svg.digits");
  const spoken = document.getElementById("spoken");
  const title = document.title;
  const words = { 120: facts.two, 60: facts.one, 0: facts.over };
  const marks = [120, 60, 0].filter((mark) => mark < left_s);

  const tick = () => {
    const left = Math.max(0, Math.round(left_s - (Date.now() - began) / 1000));
    document.title = left ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} · ${title}` : title;
    let said = "";
    while (marks.length && left <= marks[0]) said = words[marks.shift()];
    if (said) spoken.textContent = said;
    if (!left) clearInterval(timer);
  };
  const timer = setInterval(tick, 1000);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    if (drawing) drawing.setCurrentTime((Date.now() - began) / 1000);
    tick();
  });
};
