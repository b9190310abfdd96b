/** The host's own address on the clients' side: where proxies listen. */
export const HOST = '198.18.0.1'
