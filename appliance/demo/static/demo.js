// Polls the town once a second and posts the switches without leaving the page. Everything works without this, by reloading.
"use strict";
const spaced = (word) => word.replaceAll("_", " ");
const part = (card, name) => card.querySelector(`[data-f="${name}"]`);

function put(node, text, kind) {
  if (node.textContent !== text) node.textContent = text;
  if (kind !== undefined && node.className !== kind) node.className = kind;
}

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function stock(venue, before) {
  return venue.sessions.map((at) => {
    const box = element("div", undefined, at.hosted ? "at here" : "at");
    const head = box.appendChild(element("p"));
    head.append(element("b", at.title), " ", element("span", `${at.when}, ${at.hosted ? "here" : at.venue}`));
    for (const [quota, types] of Map.groupBy(at.types, (type) => type.quota)) {
      const { available, granted } = types[0];
      const moved = before.has(quota) && before.get(quota) !== available;
      const row = box.appendChild(element("div", undefined, moved ? "quota moved" : "quota"));
      const bar = element("meter");
      Object.assign(bar, { min: 0, max: Math.max(granted, 1), value: available });
      row.append(element("span", types.map((type) => type.name).join(", ")), bar, element("b", String(available)));
      before.set(quota, available);
    }
    return box;
  });
}

const shown = new Map();

function draw(venue) {
  const card = document.getElementById(`venue-${venue.k}`);
  if (!card) return;
  const before = shown.get(venue.k) ?? { sessions: "", stock: new Map() };
  shown.set(venue.k, before);
  card.classList.toggle("cut", !venue.link);
  const link = card.querySelector("[data-act=link]");
  link.up.value = String(!venue.link);
  link.querySelector("button").setAttribute("aria-pressed", String(venue.link));
  put(link.querySelector("span"), venue.link ? "Link up" : "Link cut");
  put(part(card, "cloud"), venue.cloud ? "answers" : "silent", venue.cloud ? "ok" : "bad");
  put(part(card, "unsynced"), String(venue.unsynced), venue.unsynced ? "warn" : "ok");
  put(part(card, "sold"), String(venue.sold));
  put(part(card, "admitted"), String(venue.admitted));
  put(part(card, "as-of"), venue.as_of);
  const sessions = JSON.stringify(venue.sessions);
  if (sessions !== before.sessions) {
    before.sessions = sessions;
    part(card, "sessions").replaceChildren(...stock(venue, before.stock));
  }
  verdict(part(card, "verdict"), venue.last_scan);
  printer(card, venue);
  venue.devices.forEach((each) => device(card, each));
  const pids = Object.entries(venue.processes).map(([name, pid]) => `${name} ${pid ?? "starting"}`);
  put(part(card, "pids"), pids.join(", "));
}

function verdict(node, scan) {
  if (!scan || node.dataset.scan === scan.check_in) return;
  node.dataset.scan = scan.check_in;
  node.className = `verdict ${scan.verdict}`;
  const reason = scan.reason ? `: ${spaced(scan.reason)}` : "";
  node.replaceChildren(element("b", spaced(scan.verdict) + reason), ` ${scan.words}`);
}

function printer(card, venue) {
  const { printer: says, k } = venue;
  put(part(card, "jobs"), Object.entries(says.jobs).map(([state, count]) => `${count} ${state}`).join(", "));
  const paper = part(card, "paper");
  if (Number(paper.dataset.printed) === says.printed) return;
  paper.dataset.printed = String(says.printed);
  const picture = element("img");
  Object.assign(picture, { src: `/demo/v1/venues/${k}/receipt.png?${says.printed}`, alt: `What was printed last at ${venue.name}`, width: 640 });
  paper.className = "paper fresh";
  paper.replaceChildren(picture);
}

function device(card, says) {
  const form = card.querySelector(`[data-device="${says.name}"]`);
  if (document.activeElement !== form.fault) form.fault.value = says.fault ?? "";
  put(form.querySelector("[data-state]"), says.state, says.state);
  put(form.querySelector("[data-reason]"), says.reason);
  if (says.shows === null) return;
  const lamp = card.querySelector(`[data-lamp="${says.name}"]`);
  lamp.firstElementChild.className = says.shows;
  put(lamp.querySelector("[data-shows]"), says.shows);
}

const inTown = (name) => document.querySelector(`[data-t="${name}"]`);

let newest = null;

function mailbox(mails) {
  const latest = JSON.stringify(mails);
  if (latest === newest) return;
  newest = latest;
  inTown("mails").replaceChildren(...mails.map((mail, place) => {
    const row = element("li");
    const folded = row.appendChild(element("details"));
    folded.open = place === 0;
    const head = folded.appendChild(element("summary"));
    head.append(element("b", mail.subject), ` to ${mail.to}`);
    folded.append(element("pre", mail.text));
    return row;
  }));
}

function town({ crowd, truth, mails }) {
  mailbox(mails);
  const wrong = truth.wrong.length > 0;
  const banner = inTown("truth");
  banner.className = wrong ? "truth wrong" : "truth";
  put(banner.firstElementChild, wrong ? "A number is wrong" : "No number is wrong");
  put(banner.lastElementChild, `${truth.looks} looks into every file while somebody watched`);
  put(inTown("crowd"), `${crowd.booked} booked, ${crowd.cancelled} cancelled, ${crowd.refused} refused, ${crowd.unanswered} without an answer, ${crowd.lost} lost`);
  const form = document.querySelector("[data-town=crowd]");
  form.on.value = String(!crowd.on);
  put(form.querySelector("button"), crowd.on ? "Send the crowd home" : "Let a crowd book");
  inTown("quotas").replaceChildren(...truth.quotas.map((each) => {
    const row = element("tr");
    const name = row.appendChild(element("th", each.name));
    name.scope = "row";
    row.append(...[each.issued, each.known, each.capacity, each.pool].map((figure) => element("td", String(figure))));
    return row;
  }));
  inTown("wrong").replaceChildren(...truth.wrong.map((each) => element("li", each)));
}

async function refresh() {
  try {
    const answer = await fetch("/demo/v1/state");
    if (!answer.ok) return;
    const state = await answer.json();
    state.venues.forEach(draw);
    town(state);
  } catch {
    // The demo was stopped; the next poll finds out whether it is back.
  }
}

const bodies = {
  crash: () => null,
  link: (form) => ({ up: form.up.value === "true" }),
  scan: (form) => ({ code: form.code.value.trim(), lane: Number(form.lane.value) }),
  press: (form, pressed) => ({ lane: Number(form.lane.value), button: pressed.value }),
};
const breaks = (form) => ({ fault: form.fault.value || null });

const townBodies = { crowd: (form) => ({ on: form.on.value === "true" }), "cloud/crash": () => null };

function post(path, body) {
  return fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

async function actInTown(event) {
  const form = event.target.closest("form[data-town]");
  if (!form) return;
  event.preventDefault();
  await post(`/demo/v1/${form.dataset.town}`, townBodies[form.dataset.town](form));
  await refresh();
}

async function act(event) {
  const form = event.target.closest("form[data-act]");
  if (!form) return;
  event.preventDefault();
  const k = form.closest("[data-k]").dataset.k;
  const { act: what } = form.dataset;
  const answer = await post(`/demo/v1/venues/${k}/${what}`, (bodies[what] ?? breaks)(form, event.submitter));
  if (!answer.ok) {
    const problem = await answer.json();
    const node = part(form.closest("[data-k]"), "verdict");
    node.className = "verdict none";
    node.textContent = problem.detail;
  } else if (what === "scan") {
    form.code.value = "";
  }
  await refresh();
}

document.addEventListener("submit", act);
document.addEventListener("submit", actInTown);
document.addEventListener("change", (event) => event.target.closest("[data-device]")?.requestSubmit());
(async () => {
  for (;;) {
    await refresh();
    await new Promise((again) => setTimeout(again, 1000));
  }
})();
