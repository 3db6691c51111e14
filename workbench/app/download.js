// Hands a file to the browser, which saves it where it saves what one downloads.

export function render({ model }) {
  model.on("file", () => {
    if (!model.file.url) return;
    const link = document.createElement("a");
    Object.assign(link, { href: model.file.url, download: model.file.name });
    link.click();
  });
  return document.createElement("span");
}
