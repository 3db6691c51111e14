// A list of slides: a listbox that mouse and keys both reach. Thumbnails are asked for
// as they are scrolled to, so that a folder of thousands opens at once.

const CALM_MS = 120; // what is scrolled past at speed is not asked for

export function render({ model, el }) {
  const pictures = new Map(); // name to URL
  const visible = new Set();
  let timer = null;
  const list = document.createElement("div");
  list.className = "slides";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Slides");
  list.tabIndex = 0;

  const choose = (name) => { if (name !== undefined) model.value = name; };

  function row({ name, detail }) {
    const item = document.createElement("div");
    item.className = "slide";
    item.setAttribute("role", "option");
    item.dataset.name = name;
    const picture = document.createElement("span");
    picture.className = "picture";
    const words = document.createElement("span");
    words.className = "words";
    const title = document.createElement("span");
    title.className = "title";
    title.textContent = title.title = name;
    const small = document.createElement("span");
    small.className = "detail";
    small.textContent = detail;
    words.append(title, small);
    item.append(picture, words);
    item.addEventListener("click", () => choose(name));
    return item;
  }

  // Not scrollIntoView: that would scroll the drawer around the list as well.
  function reveal(item) {
    const [top, bottom] = [item.offsetTop, item.offsetTop + item.offsetHeight];
    if (top < list.scrollTop) list.scrollTop = top;
    if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
  }

  function mark() {
    for (const item of list.children) {
      const chosen = item.dataset.name === model.value;
      item.setAttribute("aria-selected", String(chosen));
      if (chosen) reveal(item);
    }
  }

  function paint(item) {
    const url = pictures.get(item.dataset.name);
    if (url) item.firstChild.style.backgroundImage = `url("${url}")`;
  }

  const seen = new IntersectionObserver(
    (changes) => {
      for (const { target, isIntersecting } of changes) {
        if (isIntersecting) visible.add(target.dataset.name);
        else visible.delete(target.dataset.name);
      }
      clearTimeout(timer);
      timer = setTimeout(() => {
        model.wanted = [...visible].filter((name) => !pictures.has(name));
      }, CALM_MS);
    },
    { root: list, rootMargin: "60px 0px" },
  );

  function build() {
    seen.disconnect();
    visible.clear();
    list.replaceChildren(...model.items.map(row));
    list.scrollTop = 0; // what is found is seen from its beginning
    if (!model.items.length) list.textContent = "No slide of that name.";
    for (const item of list.children) {
      paint(item);
      seen.observe(item);
    }
    mark();
  }

  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const names = model.items.map((item) => item.name);
    const next = names.indexOf(model.value) + step;
    choose(names[Math.min(names.length - 1, Math.max(0, next))]);
  });

  model.on("items", build);
  model.on("pictures", () => {
    for (const [name, url] of Object.entries(model.pictures)) pictures.set(name, url);
    for (const item of list.children) paint(item);
  });
  model.on("remove", () => {
    clearTimeout(timer);
    seen.disconnect();
  });
  model.on("value", mark);
  build();
  el.append(list);
}
