cwlVersion: v1.2

class: CommandLineTool
requirements: {InlineJavascriptRequirement: {}}
inputs: {folder: {type: Directory, loadListing: deep_listing}, flat: {type: Directory, loadListing: shallow_listing}}
baseCommand: echo
arguments: ["$(inputs.folder.listing.map(function (e) { return e.basename + (e.listing ? e.listing.length : ''); }).sort().join())", "$(inputs.flat.listing.length)"]
outputs: {out: stdout}
stdout: out.txt
