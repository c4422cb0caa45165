// Draws a print template while one types; without it the Preview button does the same.
"use strict";
const form = document.getElementById("template");
const text = document.getElementById("text");
const picture = document.getElementById("picture");
const problems = document.getElementById("problems");
let timer = 0;
let asked = 0;

async function draw() {
  const mine = ++asked;
  const body = new URLSearchParams({ text: text.value });
  const answer = await fetch(form.dataset.picture, { method: "POST", body, cache: "no-store" });
  if (!answer.ok || mine !== asked) return;
  const drawn = await answer.json();
  problems.hidden = drawn.problems.length === 0;
  problems.replaceChildren(...drawn.problems.map((words) => {
    const item = document.createElement("li");
    item.textContent = words;
    return item;
  }));
  if (drawn.picture) picture.src = drawn.picture;
}

text.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => draw().catch(() => {}), 300);
});
