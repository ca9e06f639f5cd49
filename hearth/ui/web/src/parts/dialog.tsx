// A question that wants an answer before anything is done. The browser's own dialog: focus and Escape are its.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Props {
  title: string;
  children: ComponentChildren;
  yes?: string;
  grave?: boolean;
  onYes?: () => void;
  onClose: () => void;
}

export function Dialog({ title, children, yes, grave, onYes, onClose }: Props) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => box.current?.showModal(), []);
  return (
    <dialog ref={box} aria-labelledby="dialog-title" onClose={onClose} onClick={(event) => event.target === box.current && box.current?.close()}>
      <form method="dialog" onSubmit={onYes}>
        <h2 id="dialog-title">{title}</h2>
        <div class="dialog-body">{children}</div>
        <div class="buttons end">
          <button type="button" class="button" autofocus={!yes} onClick={() => box.current?.close()}>{yes ? "Cancel" : "Close"}</button>
          {yes && <button type="submit" class={grave ? "button grave" : "button main"} autofocus>{yes}</button>}
        </div>
      </form>
    </dialog>
  );
}
