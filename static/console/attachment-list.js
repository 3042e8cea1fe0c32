import { flagWords } from "./words.js";

/**
 * Items for the parts of a message that a person would want: images to look at, all else to
 * download. Everything comes from our own server, images encoded anew there.
 */
export function attachmentItems(parts) {
  return parts.map((part) => {
    const item = document.createElement("li");
    item.className = "attachment";
    if (part.inline && part.url) item.append(imageOf(part));
    item.append(captionOf(part));
    return item;
  });
}

/** "photo.jpg", or what it is where its sender gave no name. */
export function partName(part) {
  return part.name || `${/^image\//i.test(part.contentType) ? "Image" : "Attachment"} without a name`;
}

/** What else is to say of a part: type, size, and why it is not whole. */
export function partFacts(part) {
  return [part.contentType.split(";")[0], sizeWord(part.size), ...partFlags(part)].join(" · ");
}

function partFlags(part) {
  if (!part.flag) return [];
  const words = flagWords([part.flag]);
  return words.length ? words : [part.flag.replaceAll("-", " ")];
}

function imageOf(part) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "attachment-image";
  button.ariaLabel = `Show larger: ${partName(part)}`;
  const image = document.createElement("img");
  image.alt = "";
  image.decoding = "async";
  image.src = `${part.url}image/`;
  image.addEventListener("error", () => {
    const note = document.createElement("p");
    note.className = "attachment-trouble";
    note.textContent = "This image cannot be shown here.";
    button.replaceWith(note);
  });
  button.append(image);
  button.addEventListener("click", async () => {
    const { showImage } = await import("./image-dialog.js");
    showImage(part);
  });
  return button;
}

function captionOf(part) {
  const caption = document.createElement("p");
  caption.className = "attachment-words";
  const name = document.createElement(part.url ? "a" : "bdi");
  name.textContent = partName(part);
  name.dir = "auto";
  if (part.url) {
    name.href = part.url;
    name.download = part.name || "";
    name.title = "Download";
  }
  const facts = document.createElement("span");
  facts.textContent = partFacts(part);
  caption.append(name, " ", facts);
  return caption;
}

export function sizeWord(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} kB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
