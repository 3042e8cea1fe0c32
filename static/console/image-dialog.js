import { partFacts, partName } from "./attachment-list.js";
import { workable } from "./modal.js";

let ready = false;

/** Show an image of a message as large as the screen allows. */
export function showImage(part) {
  const dialog = document.getElementById("image-dialog");
  if (!ready) workable(dialog);
  ready = true;
  const image = dialog.querySelector("img");
  image.src = `${part.url}image/`;
  image.alt = `Image from the caller: ${partName(part)}`;
  dialog.querySelector("h2").textContent = partName(part);
  dialog.querySelector("#image-facts").textContent = partFacts(part);
  const download = dialog.querySelector("a");
  download.href = part.url;
  download.download = part.name || "";
  dialog.showModal();
}
