// Buttons for what a browser can do: hand a link to another app, or copy a text.
const copier = (bit, text) => {
  const button = bit(".copy");
  const label = button.textContent;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = button.dataset.done;
      setTimeout(() => { button.textContent = label; }, 2500);
    } catch { /* not allowed: the text itself is there to be marked */ }
  });
  return button;
};

const sharer = (bit, link) => {
  const button = bit(".share");
  // Thought better of it: the link stays.
  button.addEventListener("click", () => navigator.share({ url: link.href, title: document.title }).catch(() => {}));
  return button;
};

export const install = (bit) => {
  for (const link of document.querySelectorAll("a[data-share]")) {
    if (navigator.share) link.after(sharer(bit, link));
    else if (navigator.clipboard) link.after(copier(bit, link.href));
  }
  if (!navigator.clipboard) return;
  for (const text of document.querySelectorAll("[data-copy]")) text.after(copier(bit, text.textContent.trim()));
};
