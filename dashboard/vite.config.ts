import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// `npm run dev` proxies to a running server; the mock server listens on the same address.
const backend = process.env.BATON_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react()],
  build: {
    // Inlined data: URLs would need an exception in the content security policy.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 900,
    rolldownOptions: {
      output: {
        // Charts are needed on one page only; the libraries change more rarely than the pages.
        codeSplitting: {
          groups: [
            { name: 'charts', test: /node_modules[\\/](recharts|d3-|@mantine[\\/]charts|victory)/ },
            { name: 'react', test: /node_modules[\\/](react|react-dom|scheduler|react-router)[\\/]/ },
            { name: 'mantine', test: /node_modules[\\/]@mantine[\\/](core|hooks|notifications)/ },
          ],
        },
      },
    },
  },
  server: {
    proxy: {
      '/graphql': backend,
      '/ingest': backend,
      '/exports': backend,
      '/reports': backend,
      '^/imports/[^/]+/failed\\.csv': backend,
    },
  },
  test: { include: ['src/**/*.test.ts'] },
});
