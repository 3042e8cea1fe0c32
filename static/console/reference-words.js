/** What is named by a URL, and from where. */

/** Host of a URL, as a person should see it before it is asked. */
export function hostOf(url) {
  try {
    return new URL(url).host || url;
  } catch {
    return url ?? "";
  }
}

const KINDS = new Map([
  ["SubscriberInfo", "Subscriber"], ["ProviderInfo", "Provider"], ["ServiceInfo", "Kind of service"],
  ["DeviceInfo", "Device"], ["Comment", "Comment"], ["Alert", "Alert"], ["Sensor", "Sensor"],
  ["eCall", "eCall of a vehicle"], ["VCard", "Contact card"], ["location", "Location"],
]);

/** What a block of additional data is called on screen. */
export function kindWord(kind) {
  return KINDS.get(kind) ?? (kind || "Data");
}
