cwlVersion: v1.2
class: CommandLineTool
label: Copy two folders into one
requirements:
  InlineJavascriptRequirement: {}
  InitialWorkDirRequirement:
    listing:
      - entryname: copy.sh
        entry: |
          set -eu
          mkdir both
          cp -RL "$1" "$2" both/
baseCommand: [sh, copy.sh]
inputs:
  first:
    type: Directory
    loadListing: no_listing
    inputBinding: {position: 1}
  second:
    type: Directory
    inputBinding: {position: 2}
outputs:
  copied:
    type: Directory
    outputBinding: {glob: both}
  names:
    type: string[]
    outputBinding:
      glob: both
      loadListing: deep_listing
      outputEval: |
        ${
          var names = [];
          function walk(folder, prefix) {
            folder.listing.forEach(function (one) {
              names.push(prefix + one.basename);
              if (one.class === "Directory") { walk(one, prefix + one.basename + "/"); }
            });
          }
          walk(self[0], "");
          return names.sort();
        }
