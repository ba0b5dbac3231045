import type { CodegenConfig } from '@graphql-codegen/cli'

// Types for every document in `src`, from the schema of this very commit. Against a running server, `schema` may be its
// address with `/schema.graphql` instead.
const config: CodegenConfig = {
  schema: '../../schema.graphql',
  documents: ['src/**/*.ts', '!src/generated/**'],
  emitLegacyCommonJSImports: false,
  generates: {
    'src/generated/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        documentMode: 'string',
        enumsAsTypes: true,
        useTypeImports: true,
        strictScalars: true,
        scalars: { Date: 'string', DateTime: 'string', Rupiah: 'number' },
      },
    },
  },
}

export default config
