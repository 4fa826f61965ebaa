// Index a FASTA file.
process SAMTOOLS_FAIDX {
    tag "${sequences.name}"
    conda 'bioconda::samtools=1.16.1'

    input:
    path sequences

    output:
    path "${sequences}.fai", emit: index

    script:
    """
    samtools faidx ${sequences}
    """
}
