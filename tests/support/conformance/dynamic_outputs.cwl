cwlVersion: v1.2

class: CommandLineTool
requirements:
  InitialWorkDirRequirement:
    listing:
      - entryname: cwl.output.json
        entry: '{"number": 5, "file": {"class": "File", "path": "made.txt"}, "folder": {"class": "Directory", "path": "d"}, "list": ["x", null]}'
baseCommand: [sh, -c, 'echo made > made.txt; mkdir d; echo in > d/in.txt']
inputs: {}
outputs: {number: int, file: File, folder: Directory, list: Any}
