// Sound, focus and fresh figures for the door. Every page works without it.
(() => {
  "use strict";
  const TONES = { admitted: [[880, .1], [1320, .2]], already_admitted: [[520, .14], [0, .06], [520, .14]], refused: [[170, .55]] };
  const POLL_MS = 1500;
  const LATER_MS = 3000;
  const form = document.getElementById("scan");
  let audio;

  const play = (verdict) => {
    if (!TONES[verdict]) return;
    try {
      audio = audio || new AudioContext();
      audio.resume();
      let at = audio.currentTime;
      for (const [hertz, length] of TONES[verdict]) {
        if (hertz) {
          const tone = audio.createOscillator();
          const volume = audio.createGain();
          tone.type = verdict === "refused" ? "sawtooth" : "sine";
          tone.frequency.value = hertz;
          volume.gain.setValueAtTime(.4, at);
          volume.gain.exponentialRampToValueAtTime(.01, at + length);
          tone.connect(volume).connect(audio.destination);
          tone.start(at);
          tone.stop(at + length);
        }
        at += length;
      }
    } catch { /* a browser without sound still shows the verdict */ }
  };

  if (!form) return;
  const code = form.elements.code;
  const live = () => document.getElementById("live");

  // A verdict sounds once, also when it came with a new page.
  const announce = () => {
    const { scan, verdict } = live().dataset;
    if (scan && sessionStorage.getItem("scan") !== scan) play(verdict);
    sessionStorage.setItem("scan", scan);
  };

  // What came while somebody was about to press a button there; it is shown as soon as they let go.
  let waiting = "";

  // A pressed button leads to a new page, which says and sounds the verdict; news must not do so on the page that ends.
  let leaving = false;
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    leaving = true;
    setTimeout(() => { leaving = false; if (waiting) show(waiting); }, LATER_MS);
  });

  const show = (html) => {
    if (leaving) { waiting = html; return; }
    const page = new DOMParser().parseFromString(html, "text/html");
    const next = page.getElementById("live");
    if (!next) { location.reload(); return; }
    const old = live();
    const fresh = next.dataset.scan !== old.dataset.scan;
    const held = !fresh && old.contains(document.activeElement);
    waiting = held ? html : "";
    if (next.dataset.mark !== old.dataset.mark && !held) {
      for (const kept of old.querySelectorAll("details[open][id]")) {
        const same = next.querySelector(`#${kept.id}`);
        if (same) same.open = true;
      }
      old.replaceWith(next);
      if (fresh) announce();
    }
    const key = page.querySelector("#scan [name=key]");
    if (key) form.elements.key.value = key.value;
  };

  document.addEventListener("focusout", () => setTimeout(() => { if (waiting) show(waiting); }));

  form.addEventListener("submit", async (event) => {
    // "Find" goes to a page of its own.
    if (event.submitter?.hasAttribute("formaction")) return;
    event.preventDefault();
    const body = new URLSearchParams(new FormData(form));
    code.value = "";
    code.focus();
    try {
      const answer = await fetch(form.action, { method: "POST", body });
      if (!answer.ok) throw new Error(answer.status);
      show(await answer.text());
    } catch {
      // Sent once more as a plain form: its key makes that safe.
      code.value = body.get("code");
      form.submit();
    }
  });

  let busy = false;
  const ask = async () => {
    if (busy || document.hidden) return;
    busy = true;
    try {
      const answer = await fetch(form.dataset.live);
      if (answer.ok) show(await answer.text());
    } catch { /* the next round asks again */ } finally { busy = false; }
  };

  // News are pushed; where there is no place for one more stream, or the line is down, the page asks by and by.
  let source;
  let pushed = false;
  const listen = () => {
    if (source || document.hidden) return;
    const events = new URL(form.dataset.events, location.href);
    events.searchParams.set("mark", live().dataset.mark);
    source = new EventSource(events);
    source.onopen = () => { pushed = true; document.body.classList.remove("stale"); };
    source.onmessage = (event) => show(JSON.parse(event.data).html);
    source.addEventListener("over", () => location.reload());
    source.onerror = () => { source.close(); source = undefined; pushed = false; setTimeout(listen, LATER_MS); };
  };
  // A page in the background gives its stream to somebody who looks.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) { ask(); listen(); } else if (source) { source.close(); source = undefined; pushed = false; }
  });
  setInterval(() => { if (!pushed) ask(); }, POLL_MS);
  listen();
  announce();
  document.addEventListener("keydown", (event) => {
    // Keyboard scanners type wherever they are: bring their letters to the field.
    if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) code.focus();
  });
})();
