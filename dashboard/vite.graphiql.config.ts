import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// GraphiQL is a page of its own beside the dashboard's: its editor is larger than all of the dashboard, and nothing is shared.
export default defineConfig({
  plugins: [react()],
  publicDir: false,
  build: {
    emptyOutDir: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4000,
    rolldownOptions: {
      input: 'graphiql.html',
      // Its libraries carry directives for a compiler that is not in use here.
      onwarn(warning, warn) {
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning);
      },
    },
  },
});
