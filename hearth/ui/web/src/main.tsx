import { render } from "preact";
import { App } from "./app.tsx";
import { begin } from "./stream.ts";

const page = document.getElementById("page")!;
page.replaceChildren();
render(<App />, page);
begin();
