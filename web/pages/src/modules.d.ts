// What the build takes in that is no TypeScript.
declare module '*.css'

declare module 'pdfjs-dist/legacy/build/pdf.worker.mjs' {
  export const WorkerMessageHandler: object
}

// Builds of C++ libraries as JavaScript, without types of their own.
declare module '@cornerstonejs/codec-charls/decode' {
  const load: () => Promise<{ readonly JpegLSDecoder: new () => import('./viewer/dicom/codecs.ts').LibraryDecoder & { getInterleaveMode(): number } }>
  export default load
}

declare module '@cornerstonejs/codec-openjpeg/decode' {
  /** load takes what is called with each line that the library has to say. */
  const load: (options: { readonly print: (line: string) => void }) => Promise<{ readonly J2KDecoder: new () => import('./viewer/dicom/codecs.ts').LibraryDecoder }>
  export default load
}
