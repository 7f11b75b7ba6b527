/* Sphinx shows an excerpt of each page that a search finds. This leaves formulas out of it, which are none without their
   fractions and scripts, and adds of a name in the reference what it is for. */
"use strict";

const found = document.getElementById("search-results");

if (found) {
  const textOf = Search.htmlToText;
  Search.htmlToText = (html, anchor) => textOf(html.replaceAll(/<p class="formula">.*?<\/p>/gs, ""), anchor);

  const pages = new Map();

  const read = async (url) => {
    const text = await (await fetch(url)).text();
    return new DOMParser().parseFromString(text, "text/html");
  };

  const page = (url) => {
    if (!pages.has(url)) pages.set(url, read(url));
    return pages.get(url);
  };

  const explain = async (item) => {
    const link = new URL(item.querySelector("a").href);
    const name = (await page(link.pathname)).getElementById(decodeURIComponent(link.hash.slice(1)));
    const told = name?.closest("dl").querySelector("dd > p");
    if (told) {
      const excerpt = document.createElement("p");
      excerpt.className = "context";
      excerpt.textContent = told.textContent;
      item.append(excerpt);
    }
  };

  new MutationObserver((changes) => {
    for (const node of changes.flatMap((change) => [...change.addedNodes])) {
      if (node instanceof Element && node.matches("li.kind-object")) explain(node);
    }
  }).observe(found, { childList: true, subtree: true });
}
