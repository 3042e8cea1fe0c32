import { Console } from "./console.js";

new Console(document).connect();
