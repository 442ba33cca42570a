import { createHash } from 'node:crypto';
import type { CodegenConfig } from '@graphql-codegen/cli';
import { addTypenameSelectionDocumentTransform } from '@graphql-codegen/client-preset';

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
      // The cache forgets by type name what a mutation changed; the trusted text has to ask for it,
      // because the client cannot add it to a document that goes by its hash.
      documentTransforms: [addTypenameSelectionDocumentTransform],
      presetConfig: {
        fragmentMasking: false,
        // Hexadecimal digits alone, as `extensions.persistedQuery.sha256Hash` has them.
        persistedDocuments: { hashAlgorithm: (text: string) => createHash('sha256').update(text).digest('hex') },
      },
      config: {
        enumsAsTypes: true,
        useTypeImports: true,
        immutableTypes: true,
        strictScalars: true,
        scalars: {
          BigInt: 'number',
          DateTime: 'string',
          // Exact decimals come as text: a JavaScript number could not hold them.
          Decimal: 'string',
          NaiveDate: 'string',
          JSON: { input: 'unknown', output: 'unknown' },
        },
      },
    },
  },
};

export default config;
