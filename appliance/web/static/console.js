// Keeps the operator's figures fresh; without it a reload does the same.
"use strict";
const EVERY_MS = 2000;

async function refresh() {
  const old = document.getElementById("live");
  if (!old || document.hidden) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store", redirect: "manual" });
    if (answer.type === "opaqueredirect") { location.reload(); return; }
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["live", "tabs"]) {
      const fresh = page.getElementById(id);
      const here = document.getElementById(id);
      if (fresh && here && !here.contains(document.activeElement)) here.replaceWith(fresh);
    }
    document.body.classList.remove("stale");
  } catch {
    document.body.classList.add("stale");
  }
}

setInterval(refresh, EVERY_MS);
