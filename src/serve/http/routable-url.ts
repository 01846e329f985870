/**
 * The address by which Fastify finds a request's route. Its router decodes addresses as UTF-8 and answers those that are none by itself;
 * but names of files are bytes. So the router is given an address in which bytes beyond ASCII are encoded once more, and so is a `%` that
 * begins no byte. Routes read `request.originalUrl`, which is what the client has sent.
 */
export function routableUrl(url: string): string {
  return url.includes('%') ? url.replace(/%(?![0-7][0-9a-fA-F])/g, '%25') : url;
}
