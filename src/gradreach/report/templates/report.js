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
const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const sections = [...document.querySelectorAll("section[id]")].filter((section) => links.has(section.id));
const markSection = () => {
  const passed = sections.filter((section) => section.getBoundingClientRect().top < innerHeight / 3);
  links.forEach((link) => link.removeAttribute("aria-current"));
  if (passed.length) links.get(passed.at(-1).id).setAttribute("aria-current", "true");
};
addEventListener("scroll", () => requestAnimationFrame(markSection), { passive: true });
markSection();
if (navigator.clipboard) {
  document.querySelectorAll(".remedies pre").forEach((block) => {
    const source = [...block.querySelectorAll(".hang")].map((line) => line.textContent).join("\n");
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
