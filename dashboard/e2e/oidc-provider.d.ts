/** The part of the provider's interface that the tests use; the package ships no types. */
declare module 'oidc-provider' {
  import type { RequestListener } from 'node:http';

  export default class Provider {
    constructor(issuer: string, configuration: unknown);
    callback(): RequestListener;
  }
}
