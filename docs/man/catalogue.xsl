<?xml version="1.0" encoding="UTF-8"?>
<!-- Makes sdfw-catalogue(5) of schemas/catalogue.xsd. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
                xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xsl:import href="schema.xsl"/>
  <xsl:output method="text" encoding="UTF-8"/>

  <xsl:template match="/xs:schema">
    <xsl:text>.\" Made of schemas/catalogue.xsd by docs/man/catalogue.xsl.
.TH SDFW\-CATALOGUE 5 "</xsl:text>
    <xsl:value-of select="$date"/>
    <xsl:text>" "ovs-sdfw </xsl:text>
    <xsl:value-of select="$version"/>
    <xsl:text>" "ovs-sdfw Manual"
.SH NAME
sdfw\-catalogue \- the language of catalogues of ovs\-sdfw
.SH DESCRIPTION
</xsl:text>
    <xsl:call-template name="documentation"/>
    <xsl:text>.PP
Entities and DTDs are refused, and nothing is read from the network.
.SH ELEMENTS
</xsl:text>
    <xsl:apply-templates select="xs:element"/>
    <xsl:text>.SH OPENINGS&#10;What a service listens on, or a rule is about.&#10;</xsl:text>
    <xsl:apply-templates select="xs:group/xs:choice/xs:element"/>
    <xsl:call-template name="values"/>
    <xsl:text>.SH EXAMPLE
.nf
&lt;catalogue xmlns="urn:ovs\-sdfw:catalogue:1" version="1"&gt;
  &lt;service id="ledger" title="our ledger" class="database"
           names="ledger" calls="backup"&gt;
    &lt;tcp port="7400"/&gt;
  &lt;/service&gt;
  &lt;rule id="old\-tls" verdict="dangerous" score="60" from="outside"
        title="the old gateway"&gt;
    &lt;tcp port="8443"/&gt;
    &lt;explanation&gt;It knows TLS 1.0 only.&lt;/explanation&gt;
    &lt;instead&gt;Use tcp/443 of the new one.&lt;/instead&gt;
  &lt;/rule&gt;
  &lt;accept\-risk rule="old\-tls" from="partner" to="shop/web"
               reason="moves in May" ticket="RISK\-7"
               not\-after="2027\-06\-01T00:00:00Z"/&gt;
  &lt;drop id="well\-known\-port"/&gt;
&lt;/catalogue&gt;
.fi
.SH SEE ALSO
.BR sdfw (8)
</xsl:text>
  </xsl:template>
</xsl:stylesheet>
