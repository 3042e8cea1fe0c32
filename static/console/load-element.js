/** Add an element that loads something to a document, once, and wait for that. */
export function loadElement(document, name, attributes) {
  return new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement(name), attributes);
    element.onload = resolve;
    element.onerror = () => {
      element.remove();
      reject(new Error(`cannot load ${element.src ?? element.href}`));
    };
    document.head.append(element);
  });
}
