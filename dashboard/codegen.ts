import type { CodegenConfig } from '@graphql-codegen/cli';

/**
 * Typed documents from the public contract. The manifest of persisted documents is what the server
 * trusts: hash (sha256) to text.
 */
const config: CodegenConfig = {
  schema: '../schema.graphql',
  documents: ['src/**/*.{ts,tsx}', '!src/gql/**'],
  ignoreNoDocuments: false,
  generates: {
    './src/gql/': {
      preset: 'client',
      presetConfig: {
        fragmentMasking: false,
        persistedDocuments: { hashAlgorithm: 'sha256' },
      },
      config: {
        enumsAsTypes: true,
        useTypeImports: true,
        immutableTypes: true,
        strictScalars: true,
        scalars: {
          DateTime: 'string',
          JSON: { input: 'unknown', output: 'unknown' },
        },
      },
    },
  },
};

export default config;
