rule combine:
    """Combine the series of each source in a filter or band, brought to a common zero point."""
    input:
        analysis="{project}/{bin}_analysis.h5",
        reduced=expand(
            "{project}/{obs}_photometry_{bin}_reduced.h5",
            obs=PLAN.observatories,
            allow_missing=True,
        ),
    output:
        combined="{project}/{bin}_combined.h5",
    log:
        "{project}/logs/combine/{bin}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(500, 1500, epochs),
        runtime=growing(1, 2, epochs),
    params:
        stage=stage("combine"),
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" combine {wildcards.project} {output.combined}'
        " --params {params.stage:q} --log {log}"
