cwlVersion: v1.2
class: CommandLineTool
label: Test each variant for association
doc: Pearson's chi-squared of the two by two table of alleles; kept are the variants that reach the threshold.
requirements:
  InitialWorkDirRequirement:
    listing:
      - entryname: associate.awk
        entry: |
          BEGIN { FS = OFS = "\t"; print "variant", "odds_ratio", "chi_squared" }
          NR > 1 {
            a = $2; b = $3; c = $4; d = $5
            ways = (a + b) * (c + d) * (a + c) * (b + d)
            if (ways == 0 || b * c == 0) next
            chi = (a + b + c + d) * (a * d - b * c) ^ 2 / ways
            if (chi >= threshold) printf "%s\t%.3f\t%.3f\n", $1, a * d / (b * c), chi
          }
  EnvVarRequirement:
    envDef: {LC_ALL: C}
baseCommand: [awk]
arguments: [{prefix: -v, valueFrom: "threshold=$(inputs.threshold)", position: 1}, {prefix: -f, valueFrom: associate.awk, position: 2}]
inputs:
  threshold: float
  alleles:
    type: File
    inputBinding: {position: 3}
stdout: associations.tsv
outputs:
  associations: stdout
