"use strict";
const details = () => document.querySelectorAll("details");
const openTarget = () => {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (target && target.tagName === "DETAILS") target.open = true;
};
let closed = [];
addEventListener("hashchange", openTarget);
addEventListener("beforeprint", () => {
  closed = [...details()].filter((item) => !item.open);
  closed.forEach((item) => { item.open = true; });
});
addEventListener("afterprint", () => closed.forEach((item) => { item.open = false; }));
openTarget();
if (navigator.clipboard) {
  document.querySelectorAll(".remedies pre").forEach((block) => {
    const source = block.textContent;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", () => navigator.clipboard.writeText(source).then(() => {
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    }));
    block.after(button);
  });
}
