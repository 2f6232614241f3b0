// A button with data-copies="id" copies the text of that element, and says so in data-copied="id".
"use strict";

// Without TLS there is no navigator.clipboard.
function copySelected(element) {
  const selection = window.getSelection();
  selection.selectAllChildren(element);
  const copied = document.execCommand("copy");
  selection.removeAllRanges();
  return copied ? Promise.resolve() : Promise.reject(new Error("refused"));
}

function copy(element) {
  return navigator.clipboard ? navigator.clipboard.writeText(element.textContent) : copySelected(element);
}

for (const button of document.querySelectorAll("[data-copies]")) {
  const id = button.dataset.copies;
  const status = document.querySelector(`[data-copied="${id}"]`);
  const say = (text) => () => { status.textContent = text; };
  button.addEventListener("click", () => {
    copy(document.getElementById(id)).then(say("Copied."), say("Not copied: select the text by hand."));
  });
}
