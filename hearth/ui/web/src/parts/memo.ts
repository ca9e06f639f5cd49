// Draws a component again only when a property is another one than before; of a list, when one of its entries is.
import { Component, h, type ComponentType } from "preact";

export function memo<P extends object>(Drawn: ComponentType<P>): ComponentType<P> {
  return class Memo extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      const before = this.props as Record<string, unknown>;
      const after = next as Record<string, unknown>;
      return Object.keys(after).some((name) => !same(after[name], before[name]));
    }
    override render() {
      return h(Drawn as ComponentType<object>, this.props);
    }
  } as ComponentType<P>;
}

function same(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false;
  return one.every((each, index) => each === other[index]);
}
