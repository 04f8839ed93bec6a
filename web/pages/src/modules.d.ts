// What the build takes in that is no TypeScript.
declare module '*.css'

declare module 'pdfjs-dist/legacy/build/pdf.worker.mjs' {
  export const WorkerMessageHandler: object
}
