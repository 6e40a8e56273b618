// Types of the globals that the modules use: htmx (a classic script) and its events.

interface SocketWrapper {
  sendImmediately(message: string, sender?: Element | null): void;
  reconnect(): void;
}

interface HtmxExtension {
  transformResponse(text: string, xhr: XMLHttpRequest | null, element: Element): string;
}

interface Htmx {
  config: Record<string, unknown>;
  ajax(
    verb: "GET" | "POST" | "DELETE",
    path: string,
    context: {
      target: string;
      source?: Element;
      swap?: string;
      values?: Record<string, string>;
      headers?: Record<string, string>;
    },
  ): Promise<void>;
  defineExtension(name: string, extension: HtmxExtension): void;
  process(element: Element): void;
  swap(target: Element, content: string, how: { swapStyle: string }): void;
}

declare const htmx: Htmx;

interface HtmxConfirm {
  issueRequest(skipConfirmation: boolean): void;
}

interface HtmxConfigRequest {
  headers: Record<string, string>;
}

interface HtmxBeforeSwap {
  xhr: XMLHttpRequest;
  shouldSwap: boolean;
  target: Element;
}

interface HtmxSocketEvent {
  event: Event & { code?: number };
  socketWrapper: SocketWrapper;
}
