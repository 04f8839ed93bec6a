// Package inbox stores what arrives in a folder: the output folder of a scanner, of a dictation machine, of anything that writes
// files and knows nothing of this network.
//
// # What happens to a file
//
// A file waits until its size and time have stayed the same for a while. Then the patient is found, on the hospital's side alone: the
// local patient id in a DICOM header, or else the name of the folder directly below the inbox, is looked up in a table of the
// hospital. The file is sealed, uploaded and registered like any other; it becomes a record of its own, or the next version of the
// record that the same path became before. When enough hospitals hold it, the file is moved or deleted where that was asked for.
//
// # What holds
//
// What was begun is in a journal before the chain hears of it, so that a file is never stored twice, whenever the program or the
// machine stops. The same content of the same patient is stored once. Whatever fails is tried again for ever, later and later. A
// file is moved or deleted only when the minimum of copies is confirmed and it is still the file that was stored.
package inbox
