// The types of ipc-request.cjs. `Ask` and `Answer` take the interface `Requests` of a declaration that a Rust program has written.

/** `ipc.server` or `ipc.of.<id>` of node-ipc, 9 to 14. */
export type Target = object;

export interface RequestOptions {
    /** Milliseconds until the request ends without a reply, 10,000 unless said. */
    timeout?: number;
    /** Whom to ask, where the target is a server. */
    socket?: unknown;
}

/** What a request is rejected with: the peer's own `code` and `data`, or `ERR_IPC_TIMEOUT`, or `ERR_IPC_DISCONNECTED`. */
export interface RequestError extends Error {
    code: string;
    data?: unknown;
}

/** Asks for something: a promise of the result. */
export function request<Reply = unknown>(
    target: Target,
    name: string,
    params?: unknown,
    options?: RequestOptions,
): Promise<Reply>;

/** Answers requests of a name with what `answer` returns, or its promise; what it throws is the error. */
export function onRequest<Params = unknown, Reply = unknown>(
    target: Target,
    name: string,
    answer: (params: Params, socket: unknown) => Reply | Promise<Reply>,
): void;

type Entry<All, Name extends keyof All, Part extends 'params' | 'reply'> = All[Name] extends { [part in Part]: infer T }
    ? T
    : never;

/** `request` for the requests of one interface: `const ask: Ask<Requests> = request;`. */
export type Ask<All> = <Name extends keyof All & string>(
    target: Target,
    name: Name,
    params: Entry<All, Name, 'params'>,
    options?: RequestOptions,
) => Promise<Entry<All, Name, 'reply'>>;

/** `onRequest` for the requests of one interface: `const answer: Answer<Requests> = onRequest;`. */
export type Answer<All> = <Name extends keyof All & string>(
    target: Target,
    name: Name,
    answer: (
        params: Entry<All, Name, 'params'>,
        socket: unknown,
    ) => Entry<All, Name, 'reply'> | Promise<Entry<All, Name, 'reply'>>,
) => void;
